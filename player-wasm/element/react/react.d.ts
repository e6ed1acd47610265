import type { DetailedHTMLProps, HTMLAttributes, ReactElement, Ref } from "react";
import type { DateRange, Message, TidegatePlayer as Element } from "./types/index.js";

export interface TidegatePlayerProps extends Omit<HTMLAttributes<Element>, "ref"> {
  ref?: Ref<Element>;
  src?: string;
  poster?: string;
  controls?: boolean | "native";
  autoplay?: boolean;
  muted?: boolean;
  loop?: boolean;
  playsinline?: boolean;
  preload?: "none" | "metadata" | "auto";
  crossorigin?: "" | "anonymous" | "use-credentials";
  "start-time"?: number;
  latency?: number;
  cmcd?: string;
  beacon?: string;
  onstatuschange?: (event: CustomEvent) => void;
  onlevelchange?: (event: CustomEvent<{ rung: number; rungs: number; bandwidth: number; height: number }>) => void;
  ondaterange?: (event: CustomEvent<DateRange>) => void;
  ontimedmetadata?: (event: CustomEvent<Message>) => void;
  onstreamended?: (event: CustomEvent) => void;
  onplaybackerror?: (event: CustomEvent<{ reason: string; cause?: unknown }>) => void;
}

export declare function TidegatePlayer(props: TidegatePlayerProps): ReactElement;

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "tidegate-player": DetailedHTMLProps<TidegatePlayerProps, Element>;
    }
  }
}
