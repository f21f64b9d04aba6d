import type { topicKeyOf } from '../encryption/topic-key';
import { MessageTooLargeError, type OutgoingMessage, type Producer, type ReceivedBatch } from '../events/broker';
import type { RefusedMessage } from './request-message';

const maxReasonLength = 1_000;

/**
 * Puts refused messages on the dead letter topic: key, value and headers as received, and why in headers of ours.
 * Returns when all in-sync replicas have them. Called twice, it writes them twice.
 *
 * @param topicKey what stands in for a message's key
 */
export async function sendDeadLetters(
  { producer, topic, topicKey }: { producer: Producer; topic: string; topicKey: ReturnType<typeof topicKeyOf> },
  batch: Pick<ReceivedBatch, 'topic' | 'partition'>,
  refused: readonly RefusedMessage[],
): Promise<void> {
  // An undecodable batch's bytes are on its first message; the others have nothing to keep.
  const letters = refused.filter(({ message }) => !message.undecodable || message.value !== null);
  const messages = letters
    .map((letter) => deadLetter(batch, letter))
    .map((message) => ({ ...message, key: topicKey(message.key) }));
  try {
    await producer.send(topic, messages);
  } catch (error) {
    if (!(error instanceof MessageTooLargeError)) throw error;
    for (const message of messages) await sendHoweverLarge(producer, topic, message);
  }
}

function deadLetter(
  { topic, partition }: Pick<ReceivedBatch, 'topic' | 'partition'>,
  { message, code, reason }: RefusedMessage,
): OutgoingMessage {
  return {
    key: message.key,
    value: message.value,
    headers: {
      ...message.headers,
      'dlq.reason': reason.length > maxReasonLength ? `${reason.slice(0, maxReasonLength)}…` : reason,
      'dlq.code': code,
      'dlq.topic': topic,
      'dlq.partition': String(partition),
      'dlq.offset': message.offset,
      'dlq.at': new Date().toISOString(),
    },
  };
}

/**
 * For a dead letter topic that takes no more than the requests' topic does, or less: our headers alone may make a
 * message too large for it. Rather than block all that follows, the value is then left where it came from.
 */
async function sendHoweverLarge(producer: Producer, topic: string, message: OutgoingMessage): Promise<void> {
  const ours = Object.entries(message.headers ?? {}).filter(([name]) => name.startsWith('dlq.'));
  const reason = `${String(message.headers?.['dlq.reason'])} (too large for ${topic}: see the original)`;
  const tries = [
    () => producer.send(topic, [message]),
    () => producer.send(topic, [message], { gzip: true }),
    () =>
      producer.send(topic, [
        { key: null, value: null, headers: { ...Object.fromEntries(ours), 'dlq.reason': reason } },
      ]),
  ];
  for (const [index, attempt] of tries.entries()) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (!(error instanceof MessageTooLargeError) || index === tries.length - 1) throw error;
    }
  }
}
