import { readConfig } from '../../src/config';
import { openKafka } from '../../src/events/kafka';
import { startRelay } from '../../src/events/relay';
import { createLog } from '../../src/log';

/** A relay as a process of its own, to be stopped and killed by a test. It says on stdout when it leads. */
const { KAFKA_BROKERS = '', EVENTS_TOPIC = '', GIVEN_UP_AFTER_SECONDS } = process.env;
const log = createLog('relay', 'debug');
startRelay({
  config: readConfig(process.env),
  broker: openKafka({ KAFKA_BROKERS: KAFKA_BROKERS.split(',') }, log),
  log,
  topic: EVENTS_TOPIC,
  givenUpAfterSeconds: Number(GIVEN_UP_AFTER_SECONDS),
});
