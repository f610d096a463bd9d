import type { Endpoint } from "../address.ts";
import type { Answer, Question } from "./question.ts";

/** Somebody who asks the metadata service: a container of the demonstration, or a process of the host itself. */
export interface Speaker {
  readonly name: string;
  readonly address: string;
  /** Asks one question after the other. */
  ask(questions: readonly Question[]): Promise<readonly Answer[]>;
}

/** What the story is played on. All of it is gone once it is disposed of. */
export interface Stage extends AsyncDisposable {
  /** Whether the kernel leads what containers ask to the gateway; else they are pointed to it. */
  readonly hasRedirect: boolean;
  readonly containers: { readonly fluentd: Speaker; readonly php: Speaker; readonly cron: Speaker };
  readonly host: Speaker;
  /** The embedded metadata service, which tells whoever reaches it the role of the host. */
  readonly imds: Endpoint;
  readonly sts: Endpoint;
  /** Flags by which `imdsgate run` fits here, beside those that name containers and roles. */
  readonly flags: readonly string[];
}
