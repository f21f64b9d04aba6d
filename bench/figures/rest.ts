import { ours } from '../book';
import type { Figure } from '../figure';
import { atRest, openLevel, ownShare } from '../level';
import { coresTold } from '../report';

const figure = 'rest';
const waiting = 100;

/** What the service takes of a machine of which it has all, while nothing moves. */
export const rest: Figure = {
  name: figure,
  about: `CPU of our processes while nothing moves, ${waiting} calls waiting`,
  round: async (stage, book, round) => {
    const level = await openLevel(stage, waiting);
    try {
      const [cores = {}] = await atRest(stage, [level]);
      const measure = { figure, what: 'our processes', unit: 'cores', better: 'less', target: 0.03 } as const;
      book.add(measure, ours, ownShare(level, cores));
      book.note(figure, round, ours, coresTold(cores));
    } finally {
      await level.service.close();
    }
  },
};
