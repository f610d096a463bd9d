/** Clients that were looked for and could not be had where this project is tested. */
export const ABSENT: readonly { readonly name: string; readonly reason: string }[] = [];
