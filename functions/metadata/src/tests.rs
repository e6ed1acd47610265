mod api;
mod sender;
mod together;
mod world;
