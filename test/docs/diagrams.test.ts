import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { callStatuses, type CallStatus } from '../../src/call/call';
import { isFinal, mayMove } from '../../src/call/transitions';
import { checkout, diagrams, documents, readDocument, section, tableRows } from './documents';

const isStatus = (word: string): word is CallStatus => (callStatuses as readonly string[]).includes(word);

const legalMoves = callStatuses
  .flatMap((from) => callStatuses.filter((to) => mayMove(from, to)).map((to) => `${from} → ${to}`))
  .sort();

describe('docs/call-states.md', () => {
  const text = readDocument('docs/call-states.md');
  const [diagram = ''] = diagrams(text);
  const arrows = [...diagram.matchAll(/^\s*(\S+) --> (\S+)/gm)].map(([, from = '', to = '']) => ({ from, to }));

  it('draws the legal moves, all of them and no other', () => {
    const moves = arrows.filter(({ from, to }) => isStatus(from) && isStatus(to));
    expect(moves.map(({ from, to }) => `${from} → ${to}`).sort()).toEqual(legalMoves);
  });

  it('begins at PENDING, and ends where no move leaves', () => {
    expect(arrows.filter(({ from }) => from === '[*]').map(({ to }) => to)).toEqual(['PENDING']);
    const ends = callStatuses.filter((status) => isFinal(status) && !callStatuses.some((to) => mayMove(status, to)));
    expect(arrows.filter(({ to }) => to === '[*]').map(({ from }) => from)).toEqual(ends);
  });

  it('says of each legal move who makes it', () => {
    const moves = tableRows(section(text, 'Who makes each move')).map(([move = '']) => move);
    expect(moves.filter((move) => !move.startsWith('→')).sort()).toEqual(legalMoves);
  });
});

describe.each(documents.filter((name) => diagrams(readDocument(name)).length > 0))('the diagrams of %s', (name) => {
  const sources = diagrams(readDocument(name));

  it('name only files that exist', () => {
    const files = sources.flatMap((source) => source.match(/\b(src|infra|mock-provider|docs)\/[\w./-]+\.\w+/g) ?? []);
    expect(files.filter((file) => !existsSync(join(checkout, file)))).toEqual([]);
  });

  it('name the file of each participant of ours', () => {
    const notOurs = ['Client', 'PostgreSQL', 'Temporal', 'Kafka'];
    const participants = sources.flatMap((source) =>
      [...source.matchAll(/^\s*participant \w+ as (.*)$/gm)].map(([, label = '']) => label),
    );
    const unnamed = participants.filter((label) => !/<br\/>[\w./-]+\.(ts|lua)$/.test(label));
    expect(unnamed.filter((label) => !notOurs.includes(label))).toEqual([]);
  });
});
