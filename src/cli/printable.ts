/**
 * Text of others as a terminal may show it: a script id or a provider's words could else move the cursor, colour what
 * follows, or turn the line around.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** `2026-11-25 22:03:38Z`; a dash for what has not been yet. */
export function shortTime(iso: string | null | undefined): string {
  return iso === null || iso === undefined ? '-' : `${iso.slice(0, 19).replace('T', ' ')}Z`;
}
