import { Book, limitOf, ours, verdictOn, type Measure } from '../../bench/book';
import { median, quantile } from '../../bench/spread';

const rate: Measure = { figure: 'f', what: 'rate', unit: 'a second', better: 'more', target: 100, targetOfLimit: 0.8 };

function verdict(measure: Measure, values: Record<string, number[]>, ...before: [Measure, number][]) {
  const book = new Book();
  for (const [other, value] of before) book.add(other, ours, value);
  for (const [who, each] of Object.entries(values)) for (const value of each) book.add(measure, who, value);
  const line = book.lines.find(({ what }) => what === measure.what);
  return line && verdictOn(line, book.lines);
}

describe('the verdict on a figure', () => {
  test('is that of the median of our rounds', () => {
    expect(verdict(rate, { [ours]: [90, 101, 300] })).toEqual({ target: 100, met: true });
    expect(verdict(rate, { [ours]: [90, 99, 300] })).toEqual({ target: 100, met: false });
  });

  test('holds us to 80 % of the limit where the target is beyond that', () => {
    expect(verdict(rate, { [ours]: [85], [limitOf('disk')]: [100] })).toEqual({ target: 80, met: true });
    expect(verdict(rate, { [ours]: [85], [limitOf('disk')]: [1_000] })).toEqual({ target: 100, met: false });
  });

  test('holds a value to its own at another load', () => {
    const at = (what: string): Measure => ({ figure: 'f', what, unit: 'ms', better: 'less' });
    const within = { ...at('large'), within: { times: 1.3, of: 'small' } };
    expect(verdict(within, { [ours]: [12] }, [at('small'), 10])).toEqual({ target: 13, met: true });
    expect(verdict(within, { [ours]: [14] }, [at('small'), 10])).toEqual({ target: 13, met: false });
  });

  test('is none where there is no target', () => {
    expect(verdict({ ...rate, target: undefined, targetOfLimit: undefined } as never, { [ours]: [1] })?.met).toBe(
      undefined,
    );
  });
});

test('the middle of two is between them, and a percentile is a value that was measured', () => {
  expect(median([4, 1])).toBe(2.5);
  expect(quantile([5, 1, 3], 0.5)).toBe(3);
  expect(
    quantile(
      Array.from({ length: 100 }, (_, index) => index + 1),
      0.99,
    ),
  ).toBe(99);
});

test('a figure of an earlier run stands, and one that is measured anew has nothing of it', () => {
  const earlier = new Book();
  const other: Measure = { figure: 'g', what: 'time', unit: 'ms', better: 'less' };
  earlier.add(rate, ours, 1);
  earlier.add(other, ours, 2);
  earlier.note('f', 1, ours, 'old');
  const book = new Book();
  book.goOnFrom(earlier, ['f']);
  book.add(rate, ours, 3);
  expect(book.lines.map(({ figure, values }) => [figure, values[ours]])).toEqual([
    ['g', [2]],
    ['f', [3]],
  ]);
  expect(book.notesOf('f')).toEqual([]);
});
