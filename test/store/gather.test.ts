import { gather } from '../../src/store/gather';

test('what comes within a moment is done together, and what comes after it by itself', async () => {
  const done: number[][] = [];
  const take = gather(20, (items: readonly number[]) => {
    done.push([...items]);
    return Promise.resolve();
  });
  await Promise.all([take(1), take(2)]);
  await take(3);
  expect(done).toEqual([[1, 2], [3]]);
});

test('what failed together fails for each of them, and not for those who come after', async () => {
  let isAway = true;
  const take = gather(20, () => (isAway ? Promise.reject(new Error('away')) : Promise.resolve()));
  const together = await Promise.allSettled([take(1), take(2)]);
  expect(together.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  isAway = false;
  await expect(take(3)).resolves.toBeUndefined();
});
