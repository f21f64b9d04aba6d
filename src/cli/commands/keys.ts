import { Argument, Command, Option } from '@commander-js/extra-typings';

import type { ApiKey } from '../../access/keys';
import { keyAccesses } from '../../call/access';
import { NotFoundError } from '../exit-codes';
import { wholeNumber } from '../options';
import { shortTime } from '../printable';
import type { Session } from '../session';
import type { Column } from '../table';

/** `calls keys`: by the database itself, since nobody has a key before the first was made. */
export function keysCommand(session: Session) {
  return new Command('keys')
    .summary('make, list and revoke API keys')
    .description('Makes, lists and revokes API keys. Works on the database that DATABASE_URL names, not by the API.')
    .addCommand(createKeyCommand(session))
    .addCommand(listKeysCommand(session))
    .addCommand(revokeKeyCommand(session));
}

const keyCommand = (name: string) => new Command(name).option('--json', 'for programs: JSON, one value a line');

function createKeyCommand({ terminal, env }: Session) {
  return keyCommand('create')
    .summary('make a key')
    .description('Makes a key and prints it, this once: only its hash is kept.')
    .requiredOption('-n, --name <name>', 'who it is for')
    .addOption(new Option('-a, --access <access>', 'what it may do').choices(keyAccesses).makeOptionMandatory())
    .option('--rate-limit <number>', 'requests a minute, 0 for any number', wholeNumber(0, 1_000_000))
    .action(async ({ name, access, rateLimit, json }) => {
      const { createKey, withDatabase } = await keyStore();
      const order = { name, access, rateLimitPerMinute: rateLimit };
      const { key, text } = await withDatabase(env, (db) => createKey(db, order));
      if (json) return terminal.printJson({ ...key, key: text });
      await terminal.print(text);
      terminal.note(`Key ${key.id} for ${key.name} may ${key.access}. It is not shown again.`);
    });
}

function listKeysCommand({ terminal, env }: Session) {
  return keyCommand('list')
    .summary('list the keys')
    .description('Lists all keys that ever were, oldest first.')
    .action(async ({ json }) => {
      const { listKeys, withDatabase } = await keyStore();
      const keys = await withDatabase(env, listKeys);
      if (json) for (const key of keys) await terminal.printJson(key);
      else if (keys.length > 0) await terminal.printTable(keyColumns, keys);
      else terminal.note('There is no key.');
    });
}

function revokeKeyCommand({ terminal, env }: Session) {
  return keyCommand('revoke')
    .summary('revoke a key')
    .description('Revokes a key: the APIs take it no more within 5 s.')
    .addArgument(new Argument('<id>', 'its id: the second part of its text'))
    .action(async (id, { json }) => {
      const { revokeKey, withDatabase } = await keyStore();
      const key = await withDatabase(env, (db) => revokeKey(db, id));
      if (!key) throw new NotFoundError(`There is no key ${id}.`);
      await (json ? terminal.printJson(key) : terminal.print(`${key.id}  revoked ${shortTime(key.revokedAt)}`));
    });
}

const keyColumns: Column<ApiKey>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'NAME', value: ({ name }) => name, shrinkTo: 12 },
  { title: 'ACCESS', value: ({ access }) => access },
  { title: 'A MINUTE', value: ({ rateLimitPerMinute }) => String(rateLimitPerMinute ?? '-'), dropOrder: 3 },
  { title: 'CREATED', value: ({ createdAt }) => shortTime(createdAt), dropOrder: 2 },
  { title: 'LAST USED', value: ({ lastUsedAt }) => shortTime(lastUsedAt), dropOrder: 1 },
  { title: 'REVOKED', value: ({ revokedAt }) => shortTime(revokedAt) },
];

/** The service's own code, loaded only here: every other command starts sooner without. */
const keyStore = () => import('../key-store.js');
