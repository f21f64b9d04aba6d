import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import packageJson from '../../package.json';
import { createApp } from '../../src/api/app';
import { callSchema } from '../../src/api/schemas';
import { attemptOutcomes } from '../../src/call/call';
import { readConfig } from '../../src/config';
import { createLog } from '../../src/log';
import { checkout, codeIn, documents, prose, readDocument, section, tableRows } from './documents';

const readme = readDocument('README.md');

describe.each(documents)('%s', (document) => {
  const text = prose(readDocument(document));

  it('names only files that exist', () => {
    const code = [...text.matchAll(/`([^`\n]+)`/g)].map(([, words = '']) => words);
    const paths = code.filter(
      (words) =>
        /^(src|test|infra|mock-provider|temporal-config|observability|docs|bench)\/[\w./-]*$/.test(words) ||
        /^[\w.-]+\.(ts|mjs|lua|json|md|yml|yaml|sh|sql)$/.test(words),
    );
    const here = (path: string) => [join(checkout, path), join(checkout, dirname(document), path)];
    expect(paths.filter((path) => !here(path).some((place) => existsSync(place)))).toEqual([]);
  });

  it('links only to files and headings that exist', () => {
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
    const broken = links
      .filter((target) => !/^https?:/.test(target))
      .filter((target) => {
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? document : join(dirname(document), path);
        if (!existsSync(join(checkout, file))) return true;
        return anchor !== undefined && !anchorsOf(readDocument(file)).includes(anchor);
      });
    expect(broken).toEqual([]);
  });

  it('names only npm scripts that exist', () => {
    const whole = readDocument(document);
    const run = [...whole.matchAll(/npm run (?:-s )?([a-z][\w:]*)/g)].map(([, script = '']) => script);
    const short = [...whole.matchAll(/npm (start|test)\b/g)].map(([, script = '']) => script);
    const known = Object.keys(packageJson.scripts);
    expect([...run, ...short].filter((script) => !known.includes(script))).toEqual([]);
  });
});

/** As GitHub names headings. */
function anchorsOf(text: string): string[] {
  return [...prose(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .trim()
      .replaceAll(' ', '-'),
  );
}

describe('README', () => {
  it('names every npm script, it or CONTRIBUTING', () => {
    const text = readme + readDocument('CONTRIBUTING.md');
    const shown = (script: string) => new RegExp(`npm (run (-s )?)?${script}\\b(?!:)`).test(text);
    expect(Object.keys(packageJson.scripts).filter((script) => !shown(script))).toEqual([]);
  });

  it('lists the routes that the API serves', async () => {
    const nothing = () => undefined;
    const app = createApp({
      db: undefined as never,
      config: readConfig({}),
      log: createLog('test', 'silent'),
      starter: { handOffSoon: nothing, startsWithinSeconds: 0 },
      stopping: new AbortController().signal,
      reports: { receive: () => Promise.resolve(undefined) },
      checks: {},
    });
    const answer = await app.request('/openapi.json');
    const { paths } = (await answer.json()) as { paths: Record<string, Record<string, unknown>> };
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routed = app.routes.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    const listed = tableRows(section(readme, 'HTTP API')).map(([request]) => codeIn(request));
    expect(listed).toEqual(expect.arrayContaining(described));
    expect(routed).toEqual(expect.arrayContaining(listed));
  });
});

describe('docs/call-states.md', () => {
  const text = readDocument('docs/call-states.md');
  const firstColumn = (heading: string) => tableRows(section(text, heading)).map(([name]) => codeIn(name));

  it('tells of every outcome of an attempt', () => {
    expect(firstColumn('Attempts')).toEqual([...attemptOutcomes]);
  });

  it('tells of every field of a call', () => {
    const explainedElsewhere = ['id', 'payload', 'status'];
    const fields = Object.keys(callSchema.shape).filter((name) => !explainedElsewhere.includes(name));
    expect(firstColumn('What the fields mean').sort()).toEqual(fields.sort());
  });
});

describe('docs/decisions', () => {
  const decisions = documents.filter((name) => name.startsWith('docs/decisions/'));

  it('are numbered without a gap, each with context, choice and cost', () => {
    for (const [index, name] of decisions.entries()) {
      const text = readDocument(name);
      expect(name).toMatch(new RegExp(`/${String(index + 1).padStart(4, '0')}-[a-z0-9-]+\\.md$`));
      expect(text).toMatch(new RegExp(`^# ${index + 1}\\. `));
      for (const part of ['Context', 'Choice', 'Cost']) expect(text).toContain(`**${part}.**`);
    }
  });
});
