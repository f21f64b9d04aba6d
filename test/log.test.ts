import { maskNumbersIn } from '../src/log';

test.each([
  ['{"err":{"message":"no route to +966501234567"}}', '{"err":{"message":"no route to +966•••••••67"}}'],
  ['{"reason":"966501234567 is barred"}', '{"reason":"9665••••••67 is barred"}'],
  ['{"url":"/calls?to=%2B966501234567&page=2"}', '{"url":"/calls?to=%2B9•••••••••67&page=2"}'],
  ['{"stack":"Error: 966501234567\\n at x"}', '{"stack":"Error: 9665••••••67\\n at x"}'],
])('a number in %s is masked', (line, masked) => {
  expect(maskNumbersIn(line)).toBe(masked);
});

test.each([
  '{"time":"2026-11-25T22:26:05.283Z","durationMs":123456789012,"offsets":[123456789,123456780]}',
  '{"callId":"00000000-1111-2222-3333-123456789012","source":"calls.requests/0/123456789"}',
  '{"msg":"API on http://127.0.0.1:3000"}',
])('%s stays as it is', (line) => {
  expect(maskNumbersIn(line)).toBe(line);
});
