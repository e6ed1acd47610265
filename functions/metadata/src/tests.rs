mod api;
mod sender;
mod together;
mod viewers;
mod world;
