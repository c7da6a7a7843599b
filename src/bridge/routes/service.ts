import type { Clock } from "../../core/env.ts";
import { type ApiRoute, defineRoute } from "../api-route.ts";
import { HEALTHZ, READYZ } from "../api-schemas.ts";
import type { TelemetryView } from "../contract.ts";

export interface ServiceDeps {
  readonly telemetry: TelemetryView;
  readonly clock: Clock;
  readonly version: string;
}

/** For supervisors: whether the process answers, and whether what it shows is fresh. */
export function serviceRoutes({ telemetry, clock, version }: ServiceDeps): readonly ApiRoute[] {
  const startedMs = clock.monotonicMs();
  return [
    defineRoute({
      path: "/healthz",
      tag: "service",
      summary: "The process answers",
      query: {},
      answer: HEALTHZ,
      handle: () => ({ status: "ok" as const, version, uptimeMs: Math.round(clock.monotonicMs() - startedMs) }),
    }),
    defineRoute({
      path: "/readyz",
      tag: "service",
      summary: "Fresh market data is heard",
      query: {},
      answer: READYZ,
      others: { 503: "it is not; the answer is the same, and says why" },
      statusOf: ({ ready }) => (ready ? 200 : 503),
      handle: () => telemetry.readiness(),
    }),
  ];
}
