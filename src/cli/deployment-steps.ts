// The steps of a deployment as people read them: what is made with +, what is changed with ~, what is only told with ?, what is not safe with !.
import type { DeploymentStep } from "../compose/cluster/deployment-plan.ts";

export function stepLines(steps: readonly DeploymentStep[], none: string): readonly string[] {
  if (steps.length === 0) return [none];
  const width = Math.max(...steps.map(({ kind, name }) => kind.length + name.length + 1));
  return steps.map(({ kind, name, action, what, risk, why }) => {
    const sign = risk === "safe" ? signs[action] : "!";
    const told = why === undefined ? "" : `  (${risk === "safe" ? "" : `${risk}: `}${why})`;
    return `${sign} ${`${kind} ${name}`.padEnd(width)}  ${what}${told}`;
  });
}

const signs = { create: "+", change: "~", notice: "?" } as const;
