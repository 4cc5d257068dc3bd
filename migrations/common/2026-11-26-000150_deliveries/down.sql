DROP TABLE delivery_attempts;
DROP TABLE deliveries;
DROP TABLE delivery_lanes;
DROP TABLE webhooks;
