import { type Fields, isFields } from "../fields.ts";

/** The fields of a JSON object; none where `text` is no such thing. */
export function jsonFields(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : {};
  } catch {
    return {};
  }
}
