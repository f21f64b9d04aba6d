import { BoundedMap } from '../../mock-provider/bounded-map';

describe('a bounded map', () => {
  it('forgets what was added first once it is full', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1);
    map.set('b', 2);
    map.set('a', 3);
    map.set('c', 4);
    expect(['a', 'b', 'c'].map((key) => map.get(key))).toEqual([undefined, 2, 4]);
  });
});
