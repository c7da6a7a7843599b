import { messageOf } from "../../core/errors.ts";
import type { Evidence, Verdict } from "./evidence.ts";
import { judgeMarket } from "./judge-market.ts";
import { judgeNodes } from "./judge-nodes.ts";
import { judgeTrading } from "./judge-trading.ts";
import { judgeVenue } from "./judge-venue.ts";

const JUDGES = { judgeMarket, judgeTrading, judgeVenue, judgeNodes } as const;

/** Every verdict, in the order in which it is told. What could not be looked at breaks the invariants that rest on it. */
export function judgeAll(evidence: Evidence): readonly Verdict[] {
  const verdicts = Object.entries(JUDGES).flatMap(([name, judge]): readonly Verdict[] => {
    try {
      return judge(evidence);
    } catch (error) {
      return [{ id: name, ok: false, detail: `no verdict: ${messageOf(error)}` }];
    }
  });
  const unheard = evidence.problems.filter(({ ids }) => !ids.some((id) => verdicts.some((each) => each.id === id)));
  return [
    ...verdicts.map((each) => broken(each, evidence)),
    ...unheard.map(({ ids, what }) => ({ id: ids[0] ?? "evidence", ok: false, detail: what })),
  ];
}

function broken(verdict: Verdict, { problems }: Evidence): Verdict {
  const its = problems.filter(({ ids }) => ids.includes(verdict.id)).map(({ what }) => what);
  if (its.length === 0) return verdict;
  return { id: verdict.id, ok: false, detail: [...its, ...(verdict.ok ? [] : [verdict.detail])].join("; ") };
}
