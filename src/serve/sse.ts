/** Sends one event of a stream. After the client has left it does nothing. */
export type Send = (data: unknown) => void;

/**
 * A stream of server-sent events, each a line of JSON, with `[DONE]` at the end, as OpenAI's interface has it.
 * @param begin sends the events until its promise settles; what it rejects with is the last one. What it throws at once is
 *   thrown here, before there is an answer.
 * @param asEvent what is sent of an error
 */
export function eventStream(
  begin: (send: Send) => Promise<void>,
  asEvent: (error: unknown) => unknown,
): Response {
  const encoder = new TextEncoder();
  let isOpen = true;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const write = (text: string) => {
        if (isOpen) controller.enqueue(encoder.encode(`data: ${text}\n\n`));
      };
      begin((data) => write(JSON.stringify(data)))
        .then(
          () => write("[DONE]"),
          (error) => write(JSON.stringify(asEvent(error))),
        )
        .finally(() => {
          if (isOpen) controller.close();
        });
    },
    cancel() {
      isOpen = false;
    },
  });
  return new Response(body, {
    headers: {
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-cache",
      // Proxies that collect an answer before they send it would hold the events back.
      "X-Accel-Buffering": "no",
    },
  });
}
