/**
 * Whether `text` names network interfaces in a way that the kernel's rules can hold and every tool reads alike: a name of up to 15 characters,
 * the beginning of one (up to 14) with `*` after it, or `*` alone.
 */
export function isInterfacePattern(text: string): boolean {
  return text === "*" || /^[A-Za-z0-9_.]([A-Za-z0-9_.@:-]{0,14}|[A-Za-z0-9_.@:-]{0,13}\*)$/.test(text);
}
