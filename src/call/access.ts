/** What the holder of a key may do. Each includes the one before it. */
export const keyAccesses = ['read', 'write', 'admin'] as const;
export type KeyAccess = (typeof keyAccesses)[number];

/** Who may use an endpoint: anybody, or the holder of a key that may do at least so much. */
export type Access = 'open' | KeyAccess;

export function includesAccess(held: KeyAccess, wanted: KeyAccess): boolean {
  return keyAccesses.indexOf(held) >= keyAccesses.indexOf(wanted);
}
