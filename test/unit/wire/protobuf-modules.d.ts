/** The two packages of the second protobuf implementation have no types of their own for what the tests use. */
declare module "protocol-buffers-schema" {
  namespace parser {
    interface Field {
      readonly name: string;
      readonly type: string;
      readonly tag: number;
      readonly repeated: boolean;
    }
    interface Message {
      readonly name: string;
      readonly fields: readonly Field[];
    }
    interface Enum {
      readonly name: string;
      readonly values: Readonly<Record<string, { readonly value: number }>>;
    }
    interface Schema {
      readonly messages: readonly Message[];
      readonly enums: readonly Enum[];
    }
    function parse(text: string): Schema;
  }
  export = parser;
}

declare module "pbf/compile" {
  export function compile(schema: unknown): Record<string, unknown>;
}
