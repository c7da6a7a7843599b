/** What `import … from "fabric"` gives to a user's strategy or rule file. */
export * from "../scan/public.ts";
export * from "../strategy/public.ts";
