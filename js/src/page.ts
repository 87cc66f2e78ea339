// What a page, or a worker, goes through, and what that means for a session.
import { FULL } from "./full.ts";
import type { Session } from "./session.ts";

/** Lets a session obey the page's events, as long as it lives. */
export function obeyPage({ _goOn, _suspend, _terminate, _life }: Session): void {
  const page = globalThis.document;
  const change = (): void => _goOn(true);
  const events: Record<string, (event: PageTransitionEvent) => void> = {
    online: change,
    offline: change,
    resume: change,
    freeze: _suspend,
    pageshow: ({ persisted }) => persisted && change(),
    pagehide({ persisted }) {
      _suspend();
      // A page that is kept may come back, and go on.
      if (!persisted) void _terminate(!globalThis.Request || !("keepalive" in Request.prototype));
    },
    visibilitychange: () => page.hidden || _goOn(false),
  };
  for (const name in events) {
    // Those of the document do not all reach the window.
    const target = page && /^[frv]/.test(name) ? page : globalThis;
    const options: [AddEventListenerOptions?] = FULL ? [{ signal: _life as AbortSignal }] : [];
    target.addEventListener(name, events[name] as EventListener, ...options);
  }
}
