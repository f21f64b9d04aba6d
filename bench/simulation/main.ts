import { say } from '../../infra/progress';
import { simulatedTables } from './tables';

/** `npm run bench:simulation`: slots from 30 to 3,000, by what was measured of 30. Needs no services. */
say(simulatedTables());
