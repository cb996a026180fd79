// The Kubernetes manifests fit each other and the program: names, ports, probes, settings, and the definition in them, which is loaded. Their schemas are checked
// in test/foreign/kubernetes.test.ts.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { loadGraph } from "../../src/compose/graph-file.ts";
import { embeddedSettings } from "../../src/compose/settings.ts";
import { variableOf } from "../../src/core/settings.ts";

const manifest = fileURLToPath(new URL("../../deploy/kubernetes/rdg.yaml", import.meta.url));
const documents = parseAllDocuments(await readFile(manifest, "utf8"), { uniqueKeys: true });
const resources = documents.map((document) => document.toJS());
const only = (kind: string): any => {
  const found = resources.filter((resource) => resource.kind === kind);
  expect(found, kind).toHaveLength(1);
  return found[0];
};
const pod = only("StatefulSet").spec.template.spec;
const container = pod.containers[0];

test("it is YAML without a key twice", () => {
  for (const { errors, warnings } of documents) expect([...errors, ...warnings]).toEqual([]);
});

test("resources find each other", () => {
  const set = only("StatefulSet").spec;
  expect(set.serviceName).toBe(only("Service").metadata.name);
  expect(set.selector.matchLabels).toEqual(set.template.metadata.labels);
  expect(only("Service").spec.selector).toEqual(set.selector.matchLabels);
  expect(only("NetworkPolicy").spec.podSelector).toEqual(set.selector);
  expect(pod.serviceAccountName).toBe(only("ServiceAccount").metadata.name);
  const definition = pod.volumes.find((volume: any) => volume.configMap !== undefined);
  expect(definition.configMap.name).toBe(only("ConfigMap").metadata.name);
  const volumes = [...pod.volumes, ...set.volumeClaimTemplates.map((claim: any) => claim.metadata)];
  for (const { name } of container.volumeMounts) expect(volumes.map((volume: any) => volume.name)).toContain(name);
});

test("ports and probes are those of the program", () => {
  const port = embeddedSettings.port.default;
  expect(container.ports.map((each: any) => each.containerPort)).toEqual([port, port + 1]);
  for (const each of only("Service").spec.ports)
    expect(container.ports.map((own: any) => own.name)).toContain(each.targetPort);
  expect(
    [container.startupProbe, container.livenessProbe, container.readinessProbe].map((probe) => probe.httpGet),
  ).toEqual(["/livez", "/livez", "/readyz"].map((path) => ({ path, port: "http", scheme: "HTTPS" })));
  const admitted = only("NetworkPolicy").spec.ingress[0].ports.map((each: any) => each.port);
  expect(admitted).toEqual([port, port + 1]);
});

test("its variables are settings that there are", () => {
  const known = Object.keys(embeddedSettings).map(variableOf);
  for (const { name } of container.env) expect(known).toContain(name);
});

test("the pod has no more rights than it needs", () => {
  expect(pod).toMatchObject({ automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } });
  expect(container.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
});

test("the definition in it can be loaded", async () => {
  const folder = await mkdtemp(join(tmpdir(), "rdg-kubernetes-"));
  try {
    const file = join(folder, "graph.ts");
    await writeFile(file, only("ConfigMap").data["graph.ts"]);
    expect((await loadGraph(file)).model.name).toBe("views");
  } finally {
    await rm(folder, { recursive: true });
  }
});
