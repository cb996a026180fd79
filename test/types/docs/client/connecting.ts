import { connect } from "rdg/client";

const rdg = connect("https://graph.example.com", {
  token: async () => (await fetch("/token")).text(),
  headers: { "x-team": "recommendations" },
  timeoutMs: 5_000,
  retries: 2,
});
await rdg.close();
