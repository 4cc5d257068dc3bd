DROP TABLE access_reviews;
