INSERT INTO unsettled_names SELECT $upstream, unnest($names::VARCHAR[])
