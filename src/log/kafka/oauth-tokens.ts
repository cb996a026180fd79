// Tokens for OAUTHBEARER from an authorization server, by a program's own credentials (RFC 6749, section 4.4): fetched when a connection logs in or renews its
// login, and kept for most of their life.
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";

export interface OauthTokensOptions {
  /** Of the authorization server: https, or http on this machine. */
  readonly endpoint: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope?: string;
  readonly clock: Clock;
}

/** Of its life, after which a new one is asked for. Logins are renewed when theirs is mostly over, and brokers refuse one that is renewed within a second. */
const keptShare = 0.5;
/** Where the server does not say how long it lives. */
const lifeDefaultMs = 60_000;
const answerWithinMs = 10_000;
const answerBytesMax = 65_536;

/** As the settings of a connection take it. @throws RdgError unavailable, `kafka_token_unavailable`; unauthorized, `kafka_token_refused` */
export function oauthTokens(options: OauthTokensOptions): () => Promise<string> {
  const { clock } = options;
  let kept: { readonly token: string; readonly renewMs: number; readonly endMs: number } | undefined;
  let asking: Promise<string> | undefined;
  const ask = async (): Promise<string> => {
    const askedMs = clock.monotonicMs();
    try {
      const { token, lifeMs } = await fetchToken(options);
      kept = { token, renewMs: askedMs + lifeMs * keptShare, endMs: askedMs + lifeMs };
      return token;
    } catch (error) {
      // One that is still good does until the server is back.
      if (kept !== undefined && clock.monotonicMs() < kept.endMs) return kept.token;
      throw error;
    } finally {
      asking = undefined;
    }
  };
  return async () => {
    if (kept !== undefined && clock.monotonicMs() < kept.renewMs) return kept.token;
    return await (asking ??= ask());
  };
}

async function fetchToken({ endpoint, clientId, clientSecret, scope }: OauthTokensOptions): Promise<{
  readonly token: string;
  readonly lifeMs: number;
}> {
  const form = new URLSearchParams({ grant_type: "client_credentials", ...(scope !== undefined && { scope }) });
  const credentials = [clientId, clientSecret].map(encodeURIComponent).join(":");
  const response = await fetch(endpoint, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(credentials).toString("base64")}`, accept: "application/json" },
    body: form,
    redirect: "error",
    signal: AbortSignal.timeout(answerWithinMs),
  }).catch((cause: unknown) => {
    throw unavailable(endpoint, "cannot be reached", cause);
  });
  const text = await response.text().catch((cause: unknown) => {
    throw unavailable(endpoint, "hung up", cause);
  });
  if (response.status >= 500 || response.status === 429) throw unavailable(endpoint, `answered ${response.status}`);
  if (!response.ok) throw refused(endpoint, `answered ${response.status}`);
  return tokenIn(text, endpoint);
}

function tokenIn(text: string, endpoint: string): { readonly token: string; readonly lifeMs: number } {
  const { access_token: token, expires_in: seconds } = parsed(text);
  if (typeof token !== "string" || token === "") throw refused(endpoint, "answered without a token");
  const life = Number(seconds);
  return { token, lifeMs: life > 0 && Number.isFinite(life) ? life * 1_000 : lifeDefaultMs };
}

function parsed(text: string): { readonly access_token?: unknown; readonly expires_in?: unknown } {
  if (text.length > answerBytesMax) return {};
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === "object" && answer !== null ? answer : {};
  } catch {
    return {};
  }
}

function unavailable(place: string, what: string, cause?: unknown): RdgError {
  return new RdgError("unavailable", "kafka_token_unavailable", `The authorization server ${what}.`, {
    place,
    hint: "Check kafka.tokenEndpoint, and that the server runs.",
    retryAfterMs: 1_000,
    cause,
  });
}

function refused(place: string, what: string): RdgError {
  return new RdgError("unauthorized", "kafka_token_refused", `The authorization server ${what}.`, {
    place,
    hint: "Check kafka.username (the client's id), kafka.password (its secret) and kafka.scope.",
  });
}
