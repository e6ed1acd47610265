import { mount } from "svelte";
import Watch from "./Watch.svelte";

mount(Watch, { target: document.getElementById("root"), props: { src: "/vod/index.m3u8" } });
