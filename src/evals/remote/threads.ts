import { availableParallelism } from "node:os";

/**
 * Threads of a model in one of several kernels of a machine: an equal part of its cores, at least one. More threads than cores
 * wait for each other at every op of every model.
 * @param cores that the process may use
 */
export function threadsBeside(kernels: number, cores: number = availableParallelism()): number {
  return Math.max(1, Math.floor(cores / Math.max(1, kernels)));
}

/**
 * How many kernels the machine of each server will have, by the host in its address: two servers on different ports of one host
 * share it. Behind a gateway kernels may have machines of their own; then `load.threads` says better.
 */
export function kernelsByHost(
  servers: readonly { url: string; kernels: number }[],
): (server: { url: string }) => number {
  const counts = new Map<string, number>();
  for (const { url, kernels } of servers) counts.set(hostOf(url), (counts.get(hostOf(url)) ?? 0) + kernels);
  return ({ url }) => counts.get(hostOf(url)) ?? 1;
}

/** The address of this machine has several spellings. */
function hostOf(url: string): string {
  const { hostname } = new URL(url);
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname) ? "localhost" : hostname;
}
