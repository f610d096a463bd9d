/** A fact of one workload's session, or why it cannot be made, as a sentence for the operator. */
export type Fact<T> = { readonly value: T } | { readonly problem: string };
