interface Event {
  at: number;
  /** Of two at the same time, the one that was put down first comes first. */
  order: number;
  happen: () => void;
}

/** What is to happen, in the order of time: a binary heap. */
export class Agenda {
  /** Milliseconds since the beginning. */
  now = 0;
  private readonly heap: Event[] = [];
  private puts = 0;

  after(milliseconds: number, happen: () => void): void {
    const { heap } = this;
    const event = { at: this.now + milliseconds, order: this.puts++, happen };
    let index = heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, event)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = event;
  }

  /** Lets things happen until nothing is left to happen. */
  runToTheEnd(): void {
    for (let event = this.heap[0]; event !== undefined; event = this.heap[0]) {
      this.removeFirst();
      this.now = event.at;
      event.happen();
    }
  }

  private removeFirst(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && isBefore(right, left)) child++;
      const below = heap[child];
      if (below === undefined || isBefore(last, below)) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
