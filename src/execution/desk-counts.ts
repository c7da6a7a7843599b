/** Totals of the order desk since its start. */
export class DeskCounts {
  sent = 0;
  rejected = 0;
  expired = 0;
  unknown = 0;
  lost = 0;
  /** The venue was busy and did not take an order. */
  busy = 0;
  /** Waiting orders that the kill switch ended. */
  halted = 0;
  /** Reports pushed, and those of orders the journal does not know. */
  reports = 0;
  reportsUnknown = 0;
  /** Fills told before, and news of orders that were final. */
  fillsRepeated = 0;
  late = 0;
}
