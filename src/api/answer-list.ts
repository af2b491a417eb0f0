import { othersTurn } from '../store/turns.js';
import { answerJSON, drained, type Exchange } from './exchange.js';

/** About a millisecond's work. */
const itemsPerTurn = 100;

/**
 * Answers with a list. A long one is written in pieces, between which others have their turn (a hundred thousand tasks in one would keep
 * this manager from everything else for seconds), and no faster than the client reads.
 */
export async function answerList<T>(
  exchange: Exchange,
  items: readonly T[],
  shown: (item: T) => Record<string, unknown>,
): Promise<void> {
  if (items.length <= itemsPerTurn) {
    answerJSON(exchange, 200, items.map(shown));
    return;
  }
  const { response } = exchange;
  response.writeHead(200, { 'Content-Type': 'application/json' });
  for (let at = 0; at < items.length && !response.destroyed; at += itemsPerTurn) {
    const texts = items.slice(at, at + itemsPerTurn).map((item) => JSON.stringify(shown(item)));
    const hasRoom = response.write(`${at === 0 ? '[' : ','}${texts.join(',')}`);
    await (hasRoom ? othersTurn() : drained(response));
  }
  response.end(']\n');
}
