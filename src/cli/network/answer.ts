/** A network as the API shows it, as much of it as is printed. */
export interface NetworkAnswer {
  Id: string;
  Name: string;
  Created: string;
  Driver: string;
  Scope: string;
  EnableIPv4?: boolean;
  EnableIPv6?: boolean;
  Internal?: boolean;
  Labels?: Record<string, string> | null;
}
