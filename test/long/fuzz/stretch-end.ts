/** A target ends its process in good order before its last case: what is still under way there cannot be stopped otherwise. */
export class StretchEnd extends Error {
  /** The case to go on with. */
  readonly next: number;

  constructor(next: number) {
    super(`to be continued at case ${next}`);
    this.next = next;
  }
}
