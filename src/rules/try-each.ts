/** Does `act` for each item in turn, also after one has failed; only then it rejects, with the first failure. */
export async function tryEach<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const failures: { readonly error: unknown }[] = [];
  for (const item of items) await act(item).catch((error: unknown) => void failures.push({ error }));
  const [first] = failures;
  if (first) throw first.error;
}
