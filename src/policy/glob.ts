/**
 * Whether all of `text` is what `pattern` describes: `*` stands for any characters, `?` for exactly one, everything else for
 * itself. Goes back to the last `*` only, so that no pattern takes more than pattern times text steps.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let star = -1;
  let resumeAt = 0;
  let p = 0;
  for (let t = 0; t < text.length; ) {
    if (pattern[p] === "*") {
      star = p;
      resumeAt = t;
      p += 1;
    } else if (pattern[p] === "?" || pattern[p] === text[t]) {
      p += 1;
      t += 1;
    } else if (star >= 0) {
      resumeAt += 1;
      t = resumeAt;
      p = star + 1;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(p));
}
