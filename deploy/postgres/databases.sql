-- One database per service. Runs once, when the server's data directory is created.
create database "product-catalog";
create database "order";
create database "inventory";
create database "search-sync";
create database "behavior-analytics";
