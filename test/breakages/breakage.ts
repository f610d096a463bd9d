/** One security rule taken out of the source, and the tests that have to notice. */
export interface Breakage {
  /** What is wrong then. */
  readonly name: string;
  /** The rule: a clause of docs/contract.md, or a line of the security model in README.md. */
  readonly rule: string;
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly search: string;
  readonly replace: string;
  /** The rule's own tests: files, and a part of the titles where the rest of a file is about something else. */
  readonly tests: readonly string[];
  readonly titled?: string;
}
