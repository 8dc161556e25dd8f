/**
 * One viewer's way in, and its stay: asks the authorizer, waits for the token of the first RTSP request where one is
 * wanted, and ends the connection when what let it in has run out and was not renewed.
 */
import type { Clock } from '../../shared/clock.js';
import { MAX_TIMER_MS, REAUTHORIZATION_GRACE_MS, REAUTHORIZATION_RETRY_MS } from '../../shared/limits.js';
import { CloseCode } from '../../shared/proxy-protocol.js';
import { type RefusalReason, reasonOfDenial } from '../refusals.js';
import type { Viewer } from '../viewer.js';
import {
  type AccessQuestion,
  type Authorizer,
  askAuthorizer,
  closeCodeOfDenial,
  type Denial,
  type Verdict,
} from './authorizer.js';
import { TokenFilter } from './token-filter.js';

export interface AdmissionOptions {
  viewer: Viewer;
  /** With the token of the HTTP request, if it has one. */
  question: AccessQuestion;
  authorizer: Authorizer;
  clock: Clock;
  /** For the first RTSP request, and for the authorizer's answer. */
  timeouts: { firstRequestMs: number; authorizationMs: number };
  /** Once, if the viewer may enter and is still there. */
  onAdmitted(name: string | null): void;
  /** Instead, if it may not; it is closed then. */
  onRefused(reason: RefusalReason): void;
}

type Allowed = Extract<Verdict, { kind: 'allowed' }>;

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #filter: TokenFilter | null;
  #question: AccessQuestion;
  #allowed: Allowed | null = null;
  /** The token of the first request; undefined until it has come. */
  #firstToken: string | null | undefined;
  #onFirstRequest: () => void = () => {};
  #cancelTimer: () => void = () => {};
  #isRenewing = false;
  /** The newest token that was not looked at yet. */
  #nextToken: string | null = null;
  #isStopped = false;

  /** Starts asking. */
  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#question = options.question;
    const { viewer } = options;
    this.#filter = options.authorizer.readsTokens
      ? new TokenFilter({
          onRequest: (token) => this.#onRequest(token),
          onBytes: (bytes) => viewer.pass(bytes),
          onError: (error) => viewer.close(CloseCode.notRtsp, error.message),
        })
      : null;
    if (this.#filter !== null) viewer.filter = (bytes) => this.#filter?.push(bytes);
    viewer.pause();
    void this.#enter();
  }

  /** To be called when the viewer has gone. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
    this.#filter?.close();
    this.#onFirstRequest();
  }

  async #enter(): Promise<void> {
    let verdict = await this.#ask();
    const { token } = this.#question;
    // A cookie may be a stale one of which the page knows nothing.
    const mayTellMore = token === null || token.source === 'cookie';
    if (verdict.kind === 'unauthenticated' && this.#filter !== null && mayTellMore && this.#isPresent) {
      await this.#firstRequest();
      if (this.#firstToken !== null && this.#firstToken !== undefined && this.#isPresent) {
        this.#question = { ...this.#question, token: { text: this.#firstToken, source: 'header' } };
        verdict = await this.#ask();
      }
    }
    if (!this.#isPresent) return;
    if (verdict.kind !== 'allowed') {
      this.#options.onRefused(reasonOfDenial(verdict, this.#question.token !== null));
      this.#close(verdict);
      return;
    }
    this.#accept(verdict);
    this.#options.onAdmitted(verdict.viewer);
    // The first request may have brought a newer token than the one that let it in.
    this.#renew();
  }

  get #isPresent(): boolean {
    return !this.#isStopped && this.#options.viewer.isOpen;
  }

  #ask(): Promise<Verdict> {
    const { authorizer, clock, timeouts } = this.#options;
    const after = (timeoutMs: number, callback: () => void): (() => void) => clock.schedule(timeoutMs, callback);
    return askAuthorizer(authorizer, this.#question, after, timeouts.authorizationMs);
  }

  /** Resolves when it has come, or when the viewer has gone. */
  #firstRequest(): Promise<void> {
    if (this.#firstToken !== undefined) return Promise.resolve();
    const { viewer, clock, timeouts } = this.#options;
    return new Promise((resolve) => {
      this.#cancelTimer = clock.schedule(timeouts.firstRequestMs, () => {
        viewer.close(CloseCode.notRtsp, `No RTSP request came within ${timeouts.firstRequestMs} ms.`);
        resolve();
      });
      this.#onFirstRequest = () => {
        this.#cancelTimer();
        resolve();
      };
      viewer.resume();
    });
  }

  #onRequest(token: string | null): void {
    if (this.#firstToken === undefined) {
      this.#firstToken = token;
      this.#onFirstRequest();
    }
    if (token === null || token === this.#question.token?.text) return;
    this.#nextToken = token;
    this.#renew();
  }

  /** A token that is no good leaves the last one in force. */
  #renew(): void {
    const text = this.#nextToken;
    if (text === null || this.#allowed === null || this.#isRenewing || !this.#isPresent) return;
    this.#nextToken = null;
    if (text === this.#question.token?.text) return;
    this.#isRenewing = true;
    const last = this.#question;
    this.#question = { ...last, token: { text, source: 'header' } };
    void this.#ask().then((verdict) => {
      this.#isRenewing = false;
      if (!this.#isPresent) return;
      if (verdict.kind === 'allowed') this.#accept(verdict);
      else if (verdict.kind === 'forbidden') this.#close(verdict);
      else this.#question = last;
      this.#renew();
    });
  }

  #accept(verdict: Allowed): void {
    const name = this.#allowed?.viewer ?? null;
    if (name !== null && verdict.viewer !== null && verdict.viewer !== name) {
      this.#close({ kind: 'forbidden', sentence: "The new access token is another viewer's." });
      return;
    }
    this.#allowed = verdict;
    this.#plan(verdict.validUntil);
  }

  #plan(validUntil: number | null): void {
    this.#cancelTimer();
    if (validUntil === null) return;
    const { clock } = this.#options;
    const leftMs = validUntil - clock.utc();
    this.#cancelTimer = clock.schedule(Math.min(Math.max(0, leftMs), MAX_TIMER_MS), () => {
      if (clock.utc() < validUntil) this.#plan(validUntil);
      else void this.#recheck(validUntil);
    });
  }

  /** The time is up; what let the viewer in is asked about again. */
  async #recheck(validUntil: number): Promise<void> {
    const verdict = await this.#ask();
    const { clock } = this.#options;
    // A new token may have come meanwhile.
    if (!this.#isPresent || (this.#allowed?.validUntil ?? 0) > clock.utc()) return;
    if (verdict.kind === 'allowed') {
      const isLater = verdict.validUntil === null || verdict.validUntil > clock.utc();
      if (isLater) this.#accept(verdict);
      else this.#close({ kind: 'unauthenticated', sentence: 'What let this viewer in has run out.' });
    } else if (verdict.kind === 'unavailable' && clock.utc() < validUntil + REAUTHORIZATION_GRACE_MS) {
      // A portal that is being restarted ends nobody's view.
      this.#cancelTimer = clock.schedule(REAUTHORIZATION_RETRY_MS, () => void this.#recheck(validUntil));
    } else {
      this.#close(verdict);
    }
  }

  #close(denial: Denial): void {
    this.#options.viewer.close(closeCodeOfDenial(denial), denial.sentence);
  }
}
