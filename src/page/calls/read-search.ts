import type { CallFilter } from '../../client/answers';

export type Found =
  | { kind: 'all' | 'number' | 'script'; filter: CallFilter; meant?: string }
  | { kind: 'id'; id: string; filter: CallFilter; meant?: string };

const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i;

/**
 * What a text is meant to look for. An id is found in anything that holds one, such as a workflow's name or a line of a log;
 * a number also as people write it, with spaces and 00.
 */
export function readSearch(text: string): Found {
  const id = uuid.exec(text)?.[0];
  if (text === '') return { kind: 'all', filter: {} };
  if (id !== undefined) return { kind: 'id', id: id.toLowerCase(), filter: {} };
  if (/^(\+|00)[\d\s().-]{5,}$/.test(text)) {
    const to = text.replaceAll(/[^\d+]/g, '').replace(/^00/, '+');
    return { kind: 'number', filter: { to }, meant: `to ${to}` };
  }
  return { kind: 'script', filter: { scriptId: text }, meant: `with script ${text}` };
}
