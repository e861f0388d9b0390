-- One database for each service. Run once, when the server's data folder is made.
create database "product-catalog";
create database "order";
create database "inventory";
create database "search-sync";
create database "behavior-analytics";
