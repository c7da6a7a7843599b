/** Whether keys that go to such an element are words, or choose among its options: none of them is a command then. */
export function takesKeys({
  tagName,
  type,
}: {
  readonly tagName: string;
  readonly type?: string | undefined;
}): boolean {
  if (tagName === "INPUT") return type !== "checkbox";
  return tagName === "SELECT" || tagName === "TEXTAREA";
}
