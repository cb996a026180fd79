import { connect, RdgError } from "rdg/client";
import { account, uses } from "./graph.ts";

const rdg = connect("http://127.0.0.1:7400", { retries: 0 });
try {
  await rdg
    .from(account, "a1")
    .out(uses)
    .run({ signal: AbortSignal.timeout(500) });
} catch (error) {
  if (!(error instanceof RdgError)) throw error;
  console.log(error.kind, error.code, error.retryable, error.place, error.hint);
}
