import js from '@eslint/js';
import { importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/**
 * `src/call` is vocabulary: it may import nothing of ours. Each other room lists the rooms it may import from. Who may log
 * may measure and trace.
 */
const roomsEachRoomMayUse = {
  call: [],
  encryption: ['config'],
  store: ['call', 'config'],
  provider: ['call', 'config', 'log'],
  slots: ['call', 'config', 'log', 'store'],
  events: ['call', 'config', 'log', 'store', 'encryption'],
  intake: ['call', 'config', 'log', 'store', 'events', 'encryption', 'slots'],
  access: ['call', 'config', 'log', 'store'],
  webhooks: ['call', 'config', 'log', 'store'],
  workflows: ['call', 'activities'],
  reconciler: ['call', 'config', 'log', 'store', 'slots', 'provider', 'intake'],
  api: ['call', 'config', 'log', 'store', 'access', 'intake', 'provider', 'events', 'encryption', 'webhooks'],
  activities: ['call', 'config', 'log', 'store', 'slots', 'provider', 'events', 'intake', 'reconciler', 'webhooks'],
  client: ['call', 'api'],
  cli: ['call', 'client', 'config', 'store', 'access'],
  page: ['call', 'client'],
};

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/', '.data/', '**/*.mjs'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: {
      'import-x/resolver': { node: { extensions: ['.ts', '.tsx', '.js', '.json'] } },
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts', '.tsx'] },
    },
    rules: {
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': [
        'error',
        {
          zones: Object.entries(roomsEachRoomMayUse).map(([room, allowed]) => ({
            target: `./src/${room}`,
            from: './src',
            except: [room, ...allowed, ...(allowed.includes('log') ? ['metrics', 'tracing'] : [])].flatMap((name) => [
              `./${name}`,
              `./${name}.ts`,
            ]),
            message: `src/${room} may import only from: ${allowed.join(', ') || 'nothing of ours'}.`,
          })),
        },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    // A test that finds nothing where it expects something fails all the same.
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  {
    // The client runs without the service: of the API's code it may use types alone.
    files: ['src/client/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { patterns: [{ regex: '^\\.\\./api/', allowTypeImports: true, message: 'Import types of the API only.' }] },
      ],
    },
  },
  {
    // It runs in browsers, though the client's types need those of Node.js.
    files: ['src/page/**/*.{ts,tsx}'],
    rules: { 'no-restricted-globals': ['error', 'process', 'Buffer', 'require', '__dirname', 'setImmediate'] },
  },
  {
    // Workflow code is replayed: only the SDK's deterministic surface, our vocabulary, and activity *types*.
    files: ['src/workflows/**/*.ts'],
    rules: {
      'no-restricted-imports': 'off',
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(?!@temporalio/(workflow|common)|\\.\\./call/|\\./|\\.\\./activities)',
              message: 'Not deterministic.',
            },
            { regex: '^\\.\\./activities', allowTypeImports: true, message: 'Import activity types only.' },
          ],
        },
      ],
    },
  },
);
