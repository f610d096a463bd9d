import { ImdsgateError } from "../errors.ts";

/** The demonstration did not go as it tells. */
export function demoFailed(message: string): ImdsgateError {
  return new ImdsgateError("DEMO_FAILED", message);
}
