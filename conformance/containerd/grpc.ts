/**
 * containerd's gRPC services as plain functions.
 *
 * @module
 */
import { join } from 'node:path';
import { credentials, loadPackageDefinition, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** Seconds that a call may take. */
const LIMIT = 300;

const RETRIES = 3;

/** A request or response: fields as in the .proto file, without those that aren't set. */
export type Message = Readonly<Record<string, unknown>>;

export interface Service {
  /** @throws Error with the server's message */
  call<Response = Message>(method: string, request?: Message): Promise<Response>;
  close(): void;
}

type Method = (
  request: Message,
  metadata: Metadata,
  options: { deadline: number },
  done: (error: ServiceError | null, response: unknown) => void,
) => void;

/**
 * Connects to a service.
 *
 * @param file - .proto file in this folder
 * @param name - full, as in "runtime.v1.RuntimeService"
 * @param socket - the server's
 * @param header - goes with each call
 */
export function connect(
  file: string,
  name: string,
  socket: string,
  header: Readonly<Record<string, string>> = {},
): Service {
  const definition = loadSync(join(import.meta.dirname, file), {
    keepCase: true,
    enums: String,
    longs: Number,
    defaults: true,
  });
  const found = name
    .split('.')
    .reduce<unknown>(
      (object, key) => (object as Record<string, unknown>)[key],
      loadPackageDefinition(definition),
    );
  const Client = found as new (...args: unknown[]) => Record<string, Method> & { close(): void };
  const client = new Client(`unix://${socket}`, credentials.createInsecure());
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(header)) metadata.set(key, value);
  const once = <Response>(method: string, request: Message) =>
    new Promise<Response>((resolve, reject) => {
      const options = { deadline: Date.now() + LIMIT * 1000 };
      client[method]!(request, metadata, options, (error, response) => {
        if (error === null) resolve(response as Response);
        else reject(Object.assign(new Error(`${method}: ${error.details}`), { code: error.code }));
      });
    });
  return {
    async call<Response>(method: string, request: Message = {}): Promise<Response> {
      for (let tries = 0; ; tries++) {
        try {
          return await once<Response>(method, request);
        } catch (error) {
          // A connection to a server that was killed meanwhile is found broken when it is used.
          if ((error as { code?: unknown }).code !== status.UNAVAILABLE || tries === RETRIES) throw error;
        }
      }
    },
    close: () => client.close(),
  };
}
