/**
 * What of an object its JSON text holds. User data is reduced to it on the main thread, so that what JSON cannot hold (a
 * bigint, a cycle) fails in the user's cell and not on the thread of the sockets.
 *
 * @throws TypeError when JSON cannot hold it
 */
export function plain<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
